/* What the MPS2 boards with a core of Armv7-M share. Included by their machine.h. */
#ifndef EK_MPS2_H
#define EK_MPS2_H

#define EK_UART0 0x40004000u
#define EK_UART0_RX_IRQ 0u

#define EK_TIMER0 0x40000000u /* 25 MHz, 40 ns a tick */
#define EK_TICKS_PER_US 25u
/* instructions a tick: 40 ns / 256 ns = EK_TICK_FACTOR / 2^EK_TICK_SHIFT */
#define EK_TICK_FACTOR 5u
#define EK_TICK_SHIFT 5u

#include "cmsdk_timer.h"

#endif
