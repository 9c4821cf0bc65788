/* Registers of the STM32H7A3 by their names in RM0455 (STM32H7A3/7B3 reference manual) and, for the
 * caches, in the Armv7-M architecture manual; values as in ST's CMSIS device header
 * stm32h7a3xxq.h. */
#ifndef EK_STM32H7A3_REGISTERS_H
#define EK_STM32H7A3_REGISTERS_H

#include "peripherals.h"

#ifndef EK_CLOCK_HZ
#define EK_CLOCK_HZ 280000000u
#endif
#define EK_RESET_MHZ 64u /* core clock after reset */

/* RCC, "Reset and clock control" */
#define RCC_CR REG(0x58024400u)
#define RCC_CR_PLL1ON (1u << 24)
#define RCC_CR_PLL1RDY (1u << 25)
#define RCC_CFGR REG(0x58024410u)
#define RCC_CFGR_SW_MASK 7u
#define RCC_CFGR_SW_PLL1 3u
#define RCC_CFGR_SWS_MASK (7u << 3)
#define RCC_CFGR_SWS_PLL1 (3u << 3)
#define RCC_CDCFGR1 REG(0x58024418u)
#define RCC_CDCFGR1_CDPPRE_DIV2 (4u << 4)
#define RCC_CDCFGR2 REG(0x5802441Cu)
#define RCC_CDCFGR2_CDPPRE1_DIV2 (4u << 4)
#define RCC_CDCFGR2_CDPPRE2_DIV2 (4u << 8)
#define RCC_SRDCFGR REG(0x58024420u)
#define RCC_SRDCFGR_SRDPPRE_DIV2 (4u << 4)
#define RCC_PLLCKSELR REG(0x58024428u)
#define RCC_PLLCFGR REG(0x5802442Cu)
#define RCC_PLLCFGR_PLL1RGE_4_TO_8_MHZ (2u << 2)
#define RCC_PLLCFGR_DIVP1EN (1u << 16)
#define RCC_PLL1DIVR REG(0x58024430u)
#define RCC_CDCCIP2R REG(0x58024454u)
#define RCC_CDCCIP2R_USART3SEL_MASK 7u
#define RCC_CDCCIP2R_USART3SEL_HSI 3u
#define LPTIM_CLOCK RCC_CDCCIP2R
#define LPTIM_CLOCK_MASK (7u << 28)
#define LPTIM_CLOCK_LSE (3u << 28)
#define LPTIM_CLOCK_LSI (4u << 28)
#define RCC_BDCR REG(0x58024470u)
#define LSI_CONTROL REG(0x58024474u) /* RCC_CSR */
#define LSI_ON (1u << 0)
#define LSI_READY (1u << 1)
#define RCC_AHB4ENR REG(0x58024540u)
#define RCC_AHB4ENR_GPIODEN (1u << 3)
#define RCC_AHB4ENR_GPIOGEN (1u << 6)
#define RCC_APB1LENR REG(0x58024548u)
#define RCC_APB1LENR_LPTIM1EN (1u << 9)
#define RCC_APB1LENR_USART3EN (1u << 18)
#define RESET_FLAGS REG(0x58024530u) /* RCC_RSR */
#define RESET_CLEAR (1u << 16)       /* RMVF */
#define RESET_OTHER 0u
#define RESET_PIN (1u << 22)
#define RESET_POWER ((1u << 21) | (1u << 23)) /* BORRSTF PORRSTF */
#define RESET_SOFTWARE (1u << 24)
#define RESET_WATCHDOG ((1u << 26) | (1u << 28)) /* IWDGRSTF WWDGRSTF */
#define RESET_LOW_POWER (1u << 30)

/* PWR, "Power control" */
#define PWR_CR1 REG(0x58024800u)
#define PWR_CR1_LPDS (1u << 0)
#define PWR_CR1_DBP (1u << 8)
#define PWR_CR1_FLPS (1u << 9)
#define PWR_CR1_SVOS_MASK (3u << 14)
#define PWR_CR1_SVOS5 (1u << 14)
#define PWR_CSR1 REG(0x58024804u)
#define PWR_CSR1_ACTVOSRDY (1u << 13)
#define PWR_CR3 REG(0x5802480Cu)
#define PWR_CR3_SUPPLY_MASK 7u
#define PWR_CR3_SMPSEN (1u << 2)
#define PWR_CPUCR REG(0x58024810u)
#define PWR_CPUCR_PDDS_SRD (1u << 2)
#define PWR_SRDCR REG(0x58024818u)
#define PWR_SRDCR_VOSRDY (1u << 13)
#define PWR_SRDCR_VOS0 (3u << 14)

/* FLASH, "FLASH read latency" */
#define FLASH_ACR REG(0x52002000u)
#define FLASH_ACR_LATENCY_MASK 15u
#define FLASH_ACR_WRHIGHFREQ(n) ((uint32_t)(n) << 4)

/* Caches of the Cortex-M7 */
#define SCB_CCR REG(0xE000ED14u)
#define SCB_CCR_DC (1u << 16)
#define SCB_CCR_IC (1u << 17)
#define SCB_CCSIDR REG(0xE000ED80u) /* of the data cache while CSSELR is 0 */
#define SCB_CSSELR REG(0xE000ED84u)
#define SCB_ICIALLU REG(0xE000EF50u)
#define SCB_DCISW REG(0xE000EF60u)

/* GPIO, and the mark on PG12: Arduino D7 */
#define GPIOD 0x58020C00u
#define GPIOG 0x58021800u
#define MARK_BASE GPIOG
#define MARK_PIN 12u

/* USART3, "USART baud rate generation": BRR = f / baud, of HSI at 64 MHz */
#define UART_BASE 0x40004800u
#define UART_IRQ 39u
#define UART_BRR_OF(baud) ((64000000u + (baud) / 2u) / (baud))

/* LPTIM1 */
#define LPTIM_BASE 0x40002400u
#define LPTIM_IRQ 93u
#define LPTIM_HAS_DIEROK 0

/* EXTI, direct lines: 47 is LPTIM1 */
#define EXTI_CPUIMR2 REG(0x58000090u)
#define EXTI_CPUIMR2_LPTIM1 (1u << 15)

/* Chip identity: "Device electronic signature" and DBGMCU_IDC */
#define UID_WORD(n) REG(0x08FFF800u + 4u * (n))
#define DBGMCU_IDCODE REG(0x5C001000u)

#endif
