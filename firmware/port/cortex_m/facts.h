/* What a port finds out about its start and its serial port, and tells the link alike. */
#ifndef EK_FACTS_H
#define EK_FACTS_H

#include <stdint.h>

#ifndef EK_LINK_BAUD
#define EK_LINK_BAUD 115200u
#endif

struct ek_facts {
    uint32_t reset_reason; /* EK_RESET_... */
    uint32_t boot_us;      /* to the return of ek_port_init; 0 when unknown */
    uint32_t overruns;     /* received bytes that nobody read in time */
};
extern struct ek_facts ek_facts;

#endif
