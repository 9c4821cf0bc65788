/* Clock tree of the chosen operating point. */
#ifndef EK_STM32L4R5_CLOCK_H
#define EK_STM32L4R5_CLOCK_H

#include <stdint.h>

#ifndef EK_CLOCK_HZ
#define EK_CLOCK_HZ 120000000u
#endif

/* From the reset state (MSI 4 MHz, range 1) to EK_CLOCK_HZ, HSI16 on for the serial port. Returns
 * the cycle count at which the clock changed. */
uint32_t ek_clock_init(void);

/* Before and after Stop 2, which stops PLL and HSI16 and wakes on MSI. */
void ek_clock_before_stop(void);
void ek_clock_after_stop(void);

/* Locks MSI to the 32.768 kHz crystal once that runs. */
void ek_clock_lock_msi(void);

#endif
