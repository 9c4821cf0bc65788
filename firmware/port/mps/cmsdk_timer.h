/* CMSDK timer 0 (Arm DDI 0479), which counts down at the clock of the board: an MPS2 machine.h
 * names its address EK_TIMER0 and includes this. */
#ifndef EK_MPS_CMSDK_TIMER_H
#define EK_MPS_CMSDK_TIMER_H

#define TIMER0_CTRL REG(EK_TIMER0)
#define TIMER0_VALUE REG(EK_TIMER0 + 0x4u)
#define TIMER0_RELOAD REG(EK_TIMER0 + 0x8u)
#define TIMER_ENABLE (1u << 0)

#define EK_TICKS() (~TIMER0_VALUE)
#define EK_START_TICKS()                                                                           \
    do {                                                                                           \
        TIMER0_RELOAD = 0xFFFFFFFFu;                                                               \
        TIMER0_VALUE = 0xFFFFFFFFu;                                                                \
        TIMER0_CTRL = TIMER_ENABLE;                                                                \
    } while (0)

#endif
