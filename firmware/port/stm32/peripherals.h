/* Peripherals that are the same in all STM32 families served here, by their names in the reference
 * manuals; values as in ST's CMSIS device headers. registers.h of the chip has where they are. */
#ifndef EK_STM32_PERIPHERALS_H
#define EK_STM32_PERIPHERALS_H

#include "core.h"

/* GPIO port at `base` */
#define GPIO_MODER(base) REG((base) + 0x00u)
#define GPIO_PUPDR(base) REG((base) + 0x0Cu)
#define GPIO_BSRR(base) REG((base) + 0x18u)
#define GPIO_AFR(base, pin) REG((base) + 0x20u + 4u * ((pin) / 8u))

/* USART or LPUART at UART_BASE, FIFO on */
#define UART_CR1 REG(UART_BASE + 0x00u)
#define UART_CR1_UE (1u << 0)
#define UART_CR1_RE (1u << 2)
#define UART_CR1_TE (1u << 3)
#define UART_CR1_RXFNEIE (1u << 5)
#define UART_CR1_FIFOEN (1u << 29)
#define UART_BRR REG(UART_BASE + 0x0Cu)
#define UART_ISR REG(UART_BASE + 0x1Cu)
#define UART_ISR_ORE (1u << 3)
#define UART_ISR_RXFNE (1u << 5)
#define UART_ISR_TC (1u << 6)
#define UART_ISR_TXFNF (1u << 7)
#define UART_ICR REG(UART_BASE + 0x20u)
#define UART_ICR_ERRORS (0xFu) /* PECF FECF NECF ORECF */
#define UART_RDR REG(UART_BASE + 0x24u)
#define UART_TDR REG(UART_BASE + 0x28u)

/* Low-power timer at LPTIM_BASE. The newer kind (LPTIM_HAS_DIEROK) calls IER and CMP DIER and
 * CCR1. */
#define LPTIM_ISR REG(LPTIM_BASE + 0x00u)
#define LPTIM_ICR REG(LPTIM_BASE + 0x04u)
#define LPTIM_IER REG(LPTIM_BASE + 0x08u)
#define LPTIM_CFGR REG(LPTIM_BASE + 0x0Cu)
#define LPTIM_CR REG(LPTIM_BASE + 0x10u)
#define LPTIM_CMP REG(LPTIM_BASE + 0x14u)
#define LPTIM_ARR REG(LPTIM_BASE + 0x18u)
#define LPTIM_CNT REG(LPTIM_BASE + 0x1Cu)
#define LPTIM_CMPM (1u << 0)
#define LPTIM_ARRM (1u << 1)
#define LPTIM_CMPOK (1u << 3)
#define LPTIM_ARROK (1u << 4)
#define LPTIM_DIEROK (1u << 24)
#define LPTIM_CR_ENABLE (1u << 0)
#define LPTIM_CR_CNTSTRT (1u << 2)

/* RCC_BDCR, where the chip has it */
#define RCC_BDCR_LSEON (1u << 0)
#define RCC_BDCR_LSERDY (1u << 1)

/* DBGMCU_IDCODE */
#define DBGMCU_DEV_ID_MASK 0xFFFu
#define DEV_ID_TWIN 0xEDCu /* what a virtual board answers: no STM32 has this number */

#endif
