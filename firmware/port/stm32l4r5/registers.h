/* The registers this port uses, by their names in RM0432 (STM32L4+ reference manual) and the
 * Armv7-M architecture manual; values as in ST's CMSIS device header stm32l4r5xx.h. */
#ifndef EK_STM32L4R5_REGISTERS_H
#define EK_STM32L4R5_REGISTERS_H

#include <stdint.h>

#define REG(address) (*(volatile uint32_t *)(address))

/* RCC, "Reset and clock control" */
#define RCC_CR REG(0x40021000u)
#define RCC_CR_MSION (1u << 0)
#define RCC_CR_MSIRDY (1u << 1)
#define RCC_CR_MSIPLLEN (1u << 2)
#define RCC_CR_MSIRGSEL (1u << 3)
#define RCC_CR_MSIRANGE(n) ((uint32_t)(n) << 4)
#define RCC_CR_HSION (1u << 8)
#define RCC_CR_HSIRDY (1u << 10)
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
#define RCC_CCIPR_LPTIM1SEL_MASK (3u << 18)
#define RCC_CCIPR_LPTIM1SEL_LSI (1u << 18)
#define RCC_CCIPR_LPTIM1SEL_LSE (3u << 18)
#define RCC_BDCR REG(0x40021090u)
#define RCC_BDCR_LSEON (1u << 0)
#define RCC_BDCR_LSERDY (1u << 1)
#define RCC_CSR REG(0x40021094u)
#define RCC_CSR_LSION (1u << 0)
#define RCC_CSR_LSIRDY (1u << 1)
#define RCC_CSR_RMVF (1u << 23)
#define RCC_CSR_FWRSTF (1u << 24)
#define RCC_CSR_OBLRSTF (1u << 25)
#define RCC_CSR_PINRSTF (1u << 26)
#define RCC_CSR_BORRSTF (1u << 27)
#define RCC_CSR_SFTRSTF (1u << 28)
#define RCC_CSR_IWDGRSTF (1u << 29)
#define RCC_CSR_WWDGRSTF (1u << 30)
#define RCC_CSR_LPWRRSTF (1u << 31)

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

/* GPIO F and G */
#define GPIOF_MODER REG(0x48001400u)
#define GPIOF_BSRR REG(0x48001418u)
#define GPIOG_MODER REG(0x48001800u)
#define GPIOG_PUPDR REG(0x4800180Cu)
#define GPIOG_AFRL REG(0x48001820u)
#define GPIOG_AFRH REG(0x48001824u)

/* LPUART1, "Low-power universal asynchronous receiver transmitter" */
#define LPUART1_CR1 REG(0x40008000u)
#define LPUART_CR1_UE (1u << 0)
#define LPUART_CR1_RE (1u << 2)
#define LPUART_CR1_TE (1u << 3)
#define LPUART_CR1_RXFNEIE (1u << 5)
#define LPUART_CR1_FIFOEN (1u << 29)
#define LPUART1_BRR REG(0x4000800Cu)
#define LPUART1_ISR REG(0x4000801Cu)
#define LPUART_ISR_ORE (1u << 3)
#define LPUART_ISR_RXFNE (1u << 5)
#define LPUART_ISR_TC (1u << 6)
#define LPUART_ISR_TXFNF (1u << 7)
#define LPUART1_ICR REG(0x40008020u)
#define LPUART_ICR_ERRORS (0xFu) /* PECF FECF NECF ORECF */
#define LPUART1_RDR REG(0x40008024u)
#define LPUART1_TDR REG(0x40008028u)

/* LPTIM1, "Low-power timer" */
#define LPTIM1_ISR REG(0x40007C00u)
#define LPTIM1_ICR REG(0x40007C04u)
#define LPTIM1_IER REG(0x40007C08u)
#define LPTIM1_CFGR REG(0x40007C0Cu)
#define LPTIM1_CR REG(0x40007C10u)
#define LPTIM1_CMP REG(0x40007C14u)
#define LPTIM1_ARR REG(0x40007C18u)
#define LPTIM1_CNT REG(0x40007C1Cu)
#define LPTIM_CMPM (1u << 0)
#define LPTIM_ARRM (1u << 1)
#define LPTIM_CMPOK (1u << 3)
#define LPTIM_ARROK (1u << 4)
#define LPTIM_CR_ENABLE (1u << 0)
#define LPTIM_CR_CNTSTRT (1u << 2)

/* EXTI, direct lines: 32 is LPTIM1 */
#define EXTI_IMR2 REG(0x40010420u)

/* Chip identity: "Device electronic signature" and DBGMCU_IDCODE */
#define UID_WORD(n) REG(0x1FFF7590u + 4u * (n))
#define DBGMCU_IDCODE REG(0xE0042000u)
#define DBGMCU_DEV_ID_MASK 0xFFFu
#define DEV_ID_STM32L4RX 0x470u
#define DEV_ID_TWIN 0xEDCu /* what a virtual board answers */

/* Armv7-M: NVIC, SCB, DWT */
#define NVIC_ISER(n) REG(0xE000E100u + 4u * (n))
#define NVIC_ICER(n) REG(0xE000E180u + 4u * (n))
#define NVIC_ICPR(n) REG(0xE000E280u + 4u * (n))
#define LPTIM1_IRQ 65u
#define LPUART1_IRQ 70u
#define SCB_AIRCR REG(0xE000ED0Cu)
#define SCB_SCR REG(0xE000ED10u)
#define SCB_SCR_SLEEPDEEP (1u << 2)
#define DWT_CTRL REG(0xE0001000u)
#define DWT_CYCCNT REG(0xE0001004u)
#define DEMCR REG(0xE000EDFCu)
#define DEMCR_TRCENA (1u << 24)

#endif
