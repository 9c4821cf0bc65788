/* MPS3 AN547 (Corstone SSE-300, Cortex-M55) as QEMU models it. Included by cmsdk.h. Code runs in
 * the Secure state, which the core resets to. */
#ifndef EK_MACHINE_H
#define EK_MACHINE_H

#define EK_MACHINE "mps3-an547"
#define EK_MACHINE_BOARD "mps3-an547"
#define EK_MACHINE_ID 0x547u
#define EK_UART0 0x49303000u
#define EK_UART0_RX_IRQ 33u

/* The system counter, 32 MHz, 31.25 ns a tick: 64 bits up, of which the low half is enough. */
#define COUNTER_CNTCR REG(0x58100000u)
#define COUNTER_CNTCV_LOW REG(0x58100008u)
#define COUNTER_CNTCR_EN (1u << 0)

#define EK_TICKS_PER_US 32u
/* instructions a tick: 31.25 ns / 256 ns = EK_TICK_FACTOR / 2^EK_TICK_SHIFT */
#define EK_TICK_FACTOR 125u
#define EK_TICK_SHIFT 10u
#define EK_TICKS() COUNTER_CNTCV_LOW
#define EK_START_TICKS() (COUNTER_CNTCR = COUNTER_CNTCR_EN)

#endif
