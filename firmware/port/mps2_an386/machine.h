/* MPS2 AN386 (Cortex-M4F) as QEMU models it. Included by cmsdk.h. */
#ifndef EK_MACHINE_H
#define EK_MACHINE_H

#define EK_MACHINE "mps2-an386"
#define EK_MACHINE_BOARD "mps2-an386"
#define EK_MACHINE_ID 0x386u
#define EK_UART0 0x40004000u
#define EK_UART0_RX_IRQ 0u

/* CMSDK timer 0 counts down at 25 MHz, 40 ns a tick. */
#define TIMER0_CTRL REG(0x40000000u)
#define TIMER0_VALUE REG(0x40000004u)
#define TIMER0_RELOAD REG(0x40000008u)
#define TIMER_ENABLE (1u << 0)

#define EK_TICKS_PER_US 25u
/* instructions a tick: 40 ns / 256 ns = EK_TICK_FACTOR / 2^EK_TICK_SHIFT */
#define EK_TICK_FACTOR 5u
#define EK_TICK_SHIFT 5u
#define EK_TICKS() (~TIMER0_VALUE)
#define EK_START_TICKS()                                                                           \
    do {                                                                                           \
        TIMER0_RELOAD = 0xFFFFFFFFu;                                                               \
        TIMER0_VALUE = 0xFFFFFFFFu;                                                                \
        TIMER0_CTRL = TIMER_ENABLE;                                                                \
    } while (0)

#endif
