/* NUCLEO-U575ZI-Q: USART1 on PA9/PA10 to the ST-LINK. Section names in comments are RM0456's. */
#include "chip.h"

#include "registers.h"

void ek_chip_start_lse(void)
{
    PWR_DBPR = PWR_DBPR_DBP;
    RCC_BDCR |= RCC_BDCR_LSEON;
}

/* LPTIM1 is in the smart run domain, whose clocks go on in Stop 2 for those that ask ("RCC SmartRun
 * domain peripheral autonomous mode register"); its interrupt then wakes the core, without EXTI. */
void ek_chip_open_timer(uint32_t lse_runs)
{
    if (lse_runs) {
        RCC_BDCR |= RCC_BDCR_LSESYSEN; /* the crystal for others than the RTC */
        while ((RCC_BDCR & RCC_BDCR_LSESYSRDY) == 0) {
        }
        RCC_CR |= RCC_CR_MSIPLLSEL;
        RCC_CR |= RCC_CR_MSIPLLEN; /* locks MSIS to the crystal */
    }
    RCC_APB3ENR |= RCC_APB3ENR_LPTIM1EN;
    RCC_SRDAMR |= RCC_SRDAMR_LPTIM1AMEN;
}

void ek_chip_connect(void)
{
    RCC_AHB2ENR1 |= RCC_AHB2ENR1_GPIOAEN | RCC_AHB2ENR1_GPIOFEN;
    ek_pin_alternate(GPIOA, 9u, 7u);
    ek_pin_alternate(GPIOA, 10u, 7u);
    RCC_CCIPR1 = (RCC_CCIPR1 & ~RCC_CCIPR1_USART1SEL_MASK) | RCC_CCIPR1_USART1SEL_HSI16;
    RCC_APB2ENR |= RCC_APB2ENR_USART1EN;
}

const char *ek_chip_board(void)
{
    return "nucleo-u575zi-q";
}
