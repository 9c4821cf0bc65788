/* NUCLEO-L4R5ZI: LPUART1 on PG7/PG8 to the ST-LINK. Section names in comments are RM0432's. */
#include "chip.h"

#include "registers.h"

void ek_chip_start_lse(void)
{
    /* RRSTP: SRAM3 is powered in Stop 2, the arena and the inputs may lie there */
    PWR_CR1 |= PWR_CR1_DBP | PWR_CR1_RRSTP;
    RCC_BDCR |= RCC_BDCR_LSEON;
}

void ek_chip_open_timer(uint32_t lse_runs)
{
    if (lse_runs) {
        RCC_CR |= RCC_CR_MSIPLLEN; /* locks MSI to the crystal */
    }
    RCC_APB1ENR1 |= RCC_APB1ENR1_LPTIM1EN;
    EXTI_IMR2 |= 1u; /* line 32: LPTIM1 wakes from Stop */
}

void ek_chip_connect(void)
{
    RCC_AHB2ENR |= RCC_AHB2ENR_GPIOFEN | RCC_AHB2ENR_GPIOGEN;
    PWR_CR2 |= PWR_CR2_IOSV; /* port G is on VDDIO2: declare it present */
    ek_pin_alternate(GPIOG, 7u, 8u);
    ek_pin_alternate(GPIOG, 8u, 8u);
    RCC_CCIPR = (RCC_CCIPR & ~RCC_CCIPR_LPUART1SEL_MASK) | RCC_CCIPR_LPUART1SEL_HSI16;
    RCC_APB1ENR2 |= RCC_APB1ENR2_LPUART1EN;
}

const char *ek_chip_board(void)
{
    return "nucleo-l4r5zi";
}
