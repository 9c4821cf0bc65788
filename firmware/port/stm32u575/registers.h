/* Registers of the STM32U575 by their names in RM0456 (STM32U5 reference manual); values as in ST's
 * CMSIS device header stm32u575xx.h. Non-secure addresses: TrustZone is off unless an option byte
 * turns it on. */
#ifndef EK_STM32U575_REGISTERS_H
#define EK_STM32U575_REGISTERS_H

#include "peripherals.h"

#ifndef EK_CLOCK_HZ
#define EK_CLOCK_HZ 160000000u
#endif
#define EK_RESET_MHZ 4u /* core clock after reset */

/* RCC, "Reset and clock control" */
#define RCC_CR REG(0x46020C00u)
#define RCC_CR_MSISRDY (1u << 2)
#define RCC_CR_MSIPLLEN (1u << 3)
#define RCC_CR_MSIPLLSEL (1u << 6) /* 1: the PLL mode is for MSIS */
#define RCC_CR_PLL1ON (1u << 24)
#define RCC_CR_PLL1RDY (1u << 25)
#define RCC_ICSCR1 REG(0x46020C08u)
#define RCC_ICSCR1_MSIRGSEL (1u << 23)
#define RCC_ICSCR1_MSISRANGE(n) ((uint32_t)(n) << 28)
#define RCC_CFGR1 REG(0x46020C1Cu)
#define RCC_CFGR1_SW_MASK 3u
#define RCC_CFGR1_SW_PLL 3u
#define RCC_CFGR1_SWS_MASK (3u << 2)
#define RCC_CFGR1_SWS_PLL (3u << 2)
#define RCC_PLL1CFGR REG(0x46020C28u)
#define RCC_PLL1CFGR_PLL1SRC_MSIS 1u
#define RCC_PLL1CFGR_PLL1REN (1u << 18)
#define RCC_PLL1DIVR REG(0x46020C34u)
#define RCC_AHB2ENR1 REG(0x46020C8Cu)
#define RCC_AHB2ENR1_GPIOAEN (1u << 0)
#define RCC_AHB2ENR1_GPIOFEN (1u << 5)
#define RCC_AHB3ENR REG(0x46020C94u)
#define RCC_AHB3ENR_PWREN (1u << 2)
#define RCC_APB2ENR REG(0x46020CA4u)
#define RCC_APB2ENR_USART1EN (1u << 14)
#define RCC_APB3ENR REG(0x46020CA8u)
#define RCC_APB3ENR_LPTIM1EN (1u << 11)
#define RCC_SRDAMR REG(0x46020CD8u)
#define RCC_SRDAMR_LPTIM1AMEN (1u << 11)
#define RCC_CCIPR1 REG(0x46020CE0u)
#define RCC_CCIPR1_USART1SEL_MASK 3u
#define RCC_CCIPR1_USART1SEL_HSI16 2u
#define LPTIM_CLOCK REG(0x46020CE8u) /* RCC_CCIPR3, LPTIM1SEL */
#define LPTIM_CLOCK_MASK (3u << 10)
#define LPTIM_CLOCK_LSI (1u << 10)
#define LPTIM_CLOCK_LSE (3u << 10)
#define RCC_BDCR REG(0x46020CF0u)
#define RCC_BDCR_LSESYSEN (1u << 7)
#define RCC_BDCR_LSESYSRDY (1u << 11)
#define LSI_CONTROL RCC_BDCR
#define LSI_ON (1u << 26)
#define LSI_READY (1u << 27)
#define RESET_FLAGS REG(0x46020CF4u) /* RCC_CSR */
#define RESET_CLEAR (1u << 23)       /* RMVF */
#define RESET_OTHER (1u << 25)       /* OBLRSTF */
#define RESET_PIN (1u << 26)
#define RESET_POWER (1u << 27) /* BORRSTF */
#define RESET_SOFTWARE (1u << 28)
#define RESET_WATCHDOG ((1u << 29) | (1u << 30)) /* IWDGRSTF WWDGRSTF */
#define RESET_LOW_POWER (1u << 31)

/* PWR, "Power control" */
#define PWR_CR1 REG(0x46020800u)
#define PWR_CR1_LPMS_MASK 7u
#define PWR_CR1_LPMS_STOP2 2u
#define PWR_CR3 REG(0x46020808u)
#define PWR_CR3_REGSEL_SMPS (1u << 1)
#define PWR_VOSR REG(0x4602080Cu)
#define PWR_VOSR_BOOSTRDY (1u << 14)
#define PWR_VOSR_VOSRDY (1u << 15)
#define PWR_VOSR_VOS_RANGE3 (1u << 16)
#define PWR_VOSR_VOS_RANGE1 (3u << 16)
#define PWR_VOSR_BOOSTEN (1u << 18)
#define PWR_DBPR REG(0x46020828u)
#define PWR_DBPR_DBP 1u
#define PWR_SVMSR REG(0x4602083Cu)
#define PWR_SVMSR_REGS_SMPS (1u << 1)

/* FLASH and ICACHE */
#define FLASH_ACR REG(0x40022000u)
#define FLASH_ACR_LATENCY_MASK 15u
#define FLASH_ACR_PRFTEN (1u << 8)
#define ICACHE_CR REG(0x40030400u)
#define ICACHE_CR_EN (1u << 0)
#define ICACHE_SR REG(0x40030404u)
#define ICACHE_SR_BUSYF (1u << 0)

/* GPIO, and the mark on PF13: Arduino D7 */
#define GPIOA 0x42020000u
#define GPIOF 0x42021400u
#define MARK_BASE GPIOF
#define MARK_PIN 13u

/* USART1, "USART baud rate generation": BRR = f / baud, of HSI16 */
#define UART_BASE 0x40013800u
#define UART_IRQ 61u
#define UART_BRR_OF(baud) ((16000000u + (baud) / 2u) / (baud))

/* LPTIM1 */
#define LPTIM_BASE 0x46004400u
#define LPTIM_IRQ 67u
#define LPTIM_HAS_DIEROK 1

/* Chip identity: "Device electronic signature" and DBGMCU_IDCODE */
#define UID_WORD(n) REG(0x0BFA0700u + 4u * (n))
#define DBGMCU_IDCODE REG(0xE0044000u)

#endif
