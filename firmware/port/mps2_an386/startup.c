#include "ek_port.h"
#include "oracle.h"
#include "registers.h"

extern uint32_t ek_oracle_request[];

static void start_counter(void)
{
    TIMER0_RELOAD = 0xFFFFFFFFu;
    TIMER0_VALUE = 0xFFFFFFFFu;
    TIMER0_CTRL = TIMER_ENABLE;
}

static void enter(void)
{
    if (*(volatile uint32_t *)ek_oracle_request == EK_ORACLE_MAGIC) {
        ek_oracle_main();
    }
    ek_app_main();
}

#include "ek_startup.h"
