#include "core.h"
#include "ek_port.h"

static void start_counter(void)
{
    DEMCR |= DEMCR_TRCENA;
    DWT_LAR = DWT_LAR_KEY;
    DWT_CYCCNT = 0;
    DWT_CTRL |= 1u;
}

static void enter(void)
{
    ek_app_main();
}

#include "ek_startup.h"
