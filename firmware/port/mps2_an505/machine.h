/* MPS2 AN505 (Cortex-M33) as QEMU models it. Included by cmsdk.h. Code runs in the Secure
 * state, which the core resets to, and uses the Secure addresses. */
#ifndef EK_MACHINE_H
#define EK_MACHINE_H

#define EK_MACHINE "mps2-an505"
#define EK_MACHINE_BOARD "mps2-an505"
#define EK_MACHINE_ID 0x505u
#define EK_UART0 0x50200000u
#define EK_UART0_RX_IRQ 32u

#define EK_TIMER0 0x50000000u /* 20 MHz, 50 ns a tick */
#define EK_TICKS_PER_US 20u
/* instructions a tick: 50 ns / 256 ns = EK_TICK_FACTOR / 2^EK_TICK_SHIFT */
#define EK_TICK_FACTOR 25u
#define EK_TICK_SHIFT 7u

#include "cmsdk_timer.h"

#endif
