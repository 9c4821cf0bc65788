#include "core.h"
#include "ek_port.h"

static void start_counter(void)
{
#if __ARM_ARCH >= 7
    DEMCR |= DEMCR_TRCENA;
    DWT_LAR = DWT_LAR_KEY;
    DWT_CYCCNT = 0;
    DWT_CTRL |= 1u;
#else /* no counter but SysTick's 24 bits */
    SYSTICK_RVR = 0xFFFFFFu;
    SYSTICK_CVR = 0;
    SYSTICK_CSR = 5u; /* on, at the core's clock, no interrupt */
#endif
}

static void enter(void)
{
    ek_app_main();
}

#include "ek_startup.h"
