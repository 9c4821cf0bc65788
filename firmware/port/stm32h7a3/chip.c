/* NUCLEO-H7A3ZI-Q: USART3 on PD8/PD9 to the ST-LINK. Section names in comments are RM0455's. */
#include "chip.h"

#include "registers.h"

void ek_chip_start_lse(void)
{
    PWR_CR1 |= PWR_CR1_DBP;
    while ((PWR_CR1 & PWR_CR1_DBP) == 0) {
    }
    RCC_BDCR |= RCC_BDCR_LSEON;
}

void ek_chip_open_timer(uint32_t lse_runs)
{
    (void)lse_runs; /* nothing else follows the crystal */
    RCC_APB1LENR |= RCC_APB1LENR_LPTIM1EN;
    (void)RCC_APB1LENR;
    EXTI_CPUIMR2 |= EXTI_CPUIMR2_LPTIM1; /* wakes from Stop */
}

void ek_chip_connect(void)
{
    RCC_AHB4ENR |= RCC_AHB4ENR_GPIODEN | RCC_AHB4ENR_GPIOGEN;
    (void)RCC_AHB4ENR; /* "Clock enabling delays": the read takes as long as the clock needs */
    ek_pin_alternate(GPIOD, 8u, 7u);
    ek_pin_alternate(GPIOD, 9u, 7u);
    RCC_CDCCIP2R = (RCC_CDCCIP2R & ~RCC_CDCCIP2R_USART3SEL_MASK) | RCC_CDCCIP2R_USART3SEL_HSI;
    RCC_APB1LENR |= RCC_APB1LENR_USART3EN;
    (void)RCC_APB1LENR;
}

const char *ek_chip_board(void)
{
    return "nucleo-h7a3zi-q";
}
