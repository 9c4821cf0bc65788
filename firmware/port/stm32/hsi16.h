/* HSI16, in the families that have it: 16 MHz whatever the core's clock, for the serial port. A
 * Stop mode turns it off. */
#ifndef EK_STM32_HSI16_H
#define EK_STM32_HSI16_H

#include "registers.h"

#define RCC_CR_HSION (1u << 8)
#define RCC_CR_HSIRDY (1u << 10)

static inline void ek_start_hsi16(void)
{
    RCC_CR |= RCC_CR_HSION;
    while ((RCC_CR & RCC_CR_HSIRDY) == 0) {
    }
}

#endif
