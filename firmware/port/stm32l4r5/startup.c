#include "ek_port.h"
#include "registers.h"

static void start_counter(void)
{
    DEMCR |= DEMCR_TRCENA;
    DWT_CYCCNT = 0;
    DWT_CTRL |= 1u;
}

static void enter(void) { ek_app_main(); }

#include "ek_startup.h"
