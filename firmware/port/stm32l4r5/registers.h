/* Registers of the STM32L4R5 by their names in RM0432 (STM32L4+ reference manual); values as in
 * ST's CMSIS device header stm32l4r5xx.h. */
#ifndef EK_STM32L4R5_REGISTERS_H
#define EK_STM32L4R5_REGISTERS_H

#include "peripherals.h"

#ifndef EK_CLOCK_HZ
#define EK_CLOCK_HZ 120000000u
#endif
#define EK_RESET_MHZ 4u /* core clock after reset */

/* RCC, "Reset and clock control" */
#define RCC_CR REG(0x40021000u)
#define RCC_CR_MSION (1u << 0)
#define RCC_CR_MSIRDY (1u << 1)
#define RCC_CR_MSIPLLEN (1u << 2)
#define RCC_CR_MSIRGSEL (1u << 3)
#define RCC_CR_MSIRANGE(n) ((uint32_t)(n) << 4)
#define RCC_CR_PLLON (1u << 24)
#define RCC_CR_PLLRDY (1u << 25)
#define RCC_CFGR REG(0x40021008u)
#define RCC_CFGR_SW_PLL 3u
#define RCC_CFGR_SW_MASK 3u
#define RCC_CFGR_SWS_MASK (3u << 2)
#define RCC_CFGR_SWS_PLL (3u << 2)
#define RCC_CFGR_HPRE_MASK (15u << 4)
#define RCC_CFGR_HPRE_DIV2 (8u << 4)
#define RCC_PLLCFGR REG(0x4002100Cu)
#define RCC_AHB2ENR REG(0x4002104Cu)
#define RCC_AHB2ENR_GPIOFEN (1u << 5)
#define RCC_AHB2ENR_GPIOGEN (1u << 6)
#define RCC_APB1ENR1 REG(0x40021058u)
#define RCC_APB1ENR1_PWREN (1u << 28)
#define RCC_APB1ENR1_LPTIM1EN (1u << 31)
#define RCC_APB1ENR2 REG(0x4002105Cu)
#define RCC_APB1ENR2_LPUART1EN (1u << 0)
#define RCC_CCIPR REG(0x40021088u)
#define RCC_CCIPR_LPUART1SEL_MASK (3u << 10)
#define RCC_CCIPR_LPUART1SEL_HSI16 (2u << 10)
#define LPTIM_CLOCK RCC_CCIPR
#define LPTIM_CLOCK_MASK (3u << 18)
#define LPTIM_CLOCK_LSI (1u << 18)
#define LPTIM_CLOCK_LSE (3u << 18)
#define RCC_BDCR REG(0x40021090u)
#define RCC_CSR REG(0x40021094u)
#define LSI_CONTROL RCC_CSR
#define LSI_ON (1u << 0)
#define LSI_READY (1u << 1)
#define RESET_FLAGS RCC_CSR
#define RESET_CLEAR (1u << 23)                /* RMVF */
#define RESET_OTHER ((1u << 24) | (1u << 25)) /* FWRSTF OBLRSTF */
#define RESET_PIN (1u << 26)
#define RESET_POWER (1u << 27) /* BORRSTF */
#define RESET_SOFTWARE (1u << 28)
#define RESET_WATCHDOG ((1u << 29) | (1u << 30)) /* IWDGRSTF WWDGRSTF */
#define RESET_LOW_POWER (1u << 31)

/* PWR, "Power control" */
#define PWR_CR1 REG(0x40007000u)
#define PWR_CR1_LPMS_MASK 7u
#define PWR_CR1_LPMS_STOP2 2u
#define PWR_CR1_DBP (1u << 8)
#define PWR_CR1_RRSTP (1u << 4)
#define PWR_CR1_VOS_MASK (3u << 9)
#define PWR_CR1_VOS_RANGE2 (2u << 9)
#define PWR_CR2 REG(0x40007004u)
#define PWR_CR2_IOSV (1u << 9)
#define PWR_SR2 REG(0x40007014u)
#define PWR_SR2_VOSF (1u << 10)
#define PWR_CR5 REG(0x40007080u)
#define PWR_CR5_R1MODE (1u << 8) /* 1: range 1 normal; 0: range 1 boost */

/* FLASH, "Read access latency" */
#define FLASH_ACR REG(0x40022000u)
#define FLASH_ACR_LATENCY_MASK 15u
#define FLASH_ACR_PRFTEN (1u << 8)
#define FLASH_ACR_ICEN (1u << 9)
#define FLASH_ACR_DCEN (1u << 10)

/* GPIO, and the mark on PF13: Arduino D7 */
#define GPIOF 0x48001400u
#define GPIOG 0x48001800u
#define MARK_BASE GPIOF
#define MARK_PIN 13u

/* LPUART1, "LPUART baud rate generation": BRR = 256 f / baud, of HSI16 */
#define UART_BASE 0x40008000u
#define UART_IRQ 70u
#define UART_BRR_OF(baud) ((256u * 16000000u + (baud) / 2u) / (baud))

/* LPTIM1 */
#define LPTIM_BASE 0x40007C00u
#define LPTIM_IRQ 65u
#define LPTIM_HAS_DIEROK 0

/* EXTI, direct lines: 32 is LPTIM1 */
#define EXTI_IMR2 REG(0x40010420u)

/* Chip identity: "Device electronic signature" and DBGMCU_IDCODE */
#define UID_WORD(n) REG(0x1FFF7590u + 4u * (n))
#define DBGMCU_IDCODE REG(0xE0042000u)

#endif
