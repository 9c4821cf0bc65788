/* What every Cortex-M port does alike about restarts, and the memory that they leave alone. */
#ifndef EK_RESTART_H
#define EK_RESTART_H

#include <stdint.h>

/* Counts this start; `from_power` begins anew. Called once, by ek_port_init. */
void ek_count_start(uint32_t from_power);

#endif
