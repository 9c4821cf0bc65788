/* Registers of the nRF52840 that the port uses, under the names of its product specification. */
#ifndef EK_NRF52840_REGISTERS_H
#define EK_NRF52840_REGISTERS_H

#include "core.h"

#define FICR_DEVICEID(i) REG(0x10000060u + 4u * (i))
#define FICR_INFO_PART REG(0x10000100u)
#define PART_TWIN 0x00000EDCu /* no chip has this part code */

/* CLOCK and POWER share one instance. */
#define CLOCK_TASKS_HFCLKSTART REG(0x40000000u)
#define CLOCK_TASKS_HFCLKSTOP REG(0x40000004u)
#define CLOCK_TASKS_LFCLKSTART REG(0x40000008u)
#define CLOCK_TASKS_LFCLKSTOP REG(0x4000000Cu)
#define CLOCK_EVENTS_HFCLKSTARTED REG(0x40000100u)
#define CLOCK_EVENTS_LFCLKSTARTED REG(0x40000104u)
#define CLOCK_LFCLKSRC REG(0x40000518u)
#define LFCLKSRC_RC 0u
#define LFCLKSRC_XTAL 1u
#define POWER_RESETREAS REG(0x40000400u)
#define RESETREAS_PIN (1u << 0)
#define RESETREAS_WATCHDOG (1u << 1)
#define RESETREAS_SOFTWARE (1u << 2)
#define RESETREAS_LOCKUP (1u << 3)
#define POWER_DCDCEN REG(0x40000578u)

#define NVMC_ICACHECNF REG(0x4001E540u)

/* UART, the peripheral without DMA: six bytes of reception are kept until they are read. */
#define UART_TASKS_STARTRX REG(0x40002000u)
#define UART_TASKS_STOPRX REG(0x40002004u)
#define UART_TASKS_STARTTX REG(0x40002008u)
#define UART_TASKS_STOPTX REG(0x4000200Cu)
#define UART_EVENTS_RXDRDY REG(0x40002108u)
#define UART_EVENTS_TXDRDY REG(0x4000211Cu)
#define UART_EVENTS_ERROR REG(0x40002124u)
#define UART_INTENSET REG(0x40002304u)
#define UART_INT_RXDRDY (1u << 2)
#define UART_ERRORSRC REG(0x40002480u)
#define UART_ERRORSRC_OVERRUN (1u << 0)
#define UART_ENABLE REG(0x40002500u)
#define UART_ENABLE_ON 4u
#define UART_PSELTXD REG(0x4000250Cu)
#define UART_PSELRXD REG(0x40002514u)
#define UART_RXD REG(0x40002518u)
#define UART_TXD REG(0x4000251Cu)
#define UART_BAUDRATE REG(0x40002524u)
#define UART_IRQ 2u

/* RTC1: 24 bits at 32.768 kHz. */
#define RTC_TASKS_START REG(0x40011000u)
#define RTC_EVENTS_COMPARE0 REG(0x40011140u)
#define RTC_INTENSET REG(0x40011304u)
#define RTC_INT_COMPARE0 (1u << 16)
#define RTC_COUNTER REG(0x40011504u)
#define RTC_PRESCALER REG(0x40011508u)
#define RTC_CC0 REG(0x40011540u)
#define RTC_MASK 0xFFFFFFu
#define RTC_IRQ 17u

#define GPIO_OUTSET(port) REG(0x50000508u + 0x300u * (port))
#define GPIO_OUTCLR(port) REG(0x5000050Cu + 0x300u * (port))
#define GPIO_PIN_CNF(port, pin) REG(0x50000700u + 0x300u * (port) + 4u * (pin))
#define PIN_CNF_OUTPUT 3u          /* output, input buffer disconnected */
#define PIN_CNF_INPUT_PULL_UP 0xCu /* input, pulled up */

#define FPU_IRQ 38u

#endif
