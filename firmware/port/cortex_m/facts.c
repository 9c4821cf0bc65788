#include "facts.h"

#include "ek_port.h"
#include "registers.h"

struct ek_facts ek_facts;

uint32_t ek_port_reset_reason(void)
{
    return ek_facts.reset_reason;
}

uint32_t ek_port_boot_us(void)
{
    return ek_facts.boot_us;
}

uint32_t ek_port_overruns(void)
{
    return ek_facts.overruns;
}

uint32_t ek_port_clock_hz(void)
{
    return EK_CLOCK_HZ;
}

uint32_t ek_port_baud(void)
{
    return EK_LINK_BAUD;
}
