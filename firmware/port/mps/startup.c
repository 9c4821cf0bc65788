#include "cmsdk.h"
#include "ek_port.h"
#include "oracle.h"

extern uint32_t ek_oracle_request[];

static void start_counter(void)
{
    EK_START_TICKS();
}

static void enter(void)
{
    if (*(volatile uint32_t *)ek_oracle_request == EK_ORACLE_MAGIC) {
        ek_oracle_main();
    }
    ek_app_main();
}

#include "ek_startup.h"
