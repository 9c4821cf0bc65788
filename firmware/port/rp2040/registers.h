/* Registers of the RP2040 that the port uses, under the names of its data sheet. */
#ifndef EK_RP2040_REGISTERS_H
#define EK_RP2040_REGISTERS_H

#include "core.h"

#define SYSINFO_CHIP_ID REG(0x40000000u)
#define CHIP_ID_PART(id) ((id) >> 12 & 0xFFFFu)
#define PART_TWIN 0x0EDCu /* no chip has this part number */

#define CLK_REF_CTRL REG(0x40008030u)
#define CLK_REF_SELECTED REG(0x40008038u)
#define CLK_REF_XOSC 2u
#define CLK_SYS_CTRL REG(0x4000803Cu) /* auxiliary source 0, which stays selected, is PLL_SYS */
#define CLK_SYS_SELECTED REG(0x40008044u)
#define CLK_SYS_REF 0u
#define CLK_SYS_AUX 1u
#define CLK_PERI_CTRL REG(0x40008048u)
#define CLK_PERI_XOSC (1u << 11 | 4u << 5) /* enable; source */
#define SLEEP_EN0 REG(0x400080A8u)
#define SLEEP_EN1 REG(0x400080ACu)
#define SLEEP_EN1_TIMER (1u << 5)
#define SLEEP_EN1_WATCHDOG (1u << 12) /* makes the timer's microseconds */

#define RESETS_RESET REG(0x4000C000u)
#define RESETS_DONE REG(0x4000C008u)
#define RESETS_USED (1u << 5 | 1u << 8 | 1u << 12 | 1u << 21 | 1u << 22)
/* IO_BANK0, PADS_BANK0, PLL_SYS, TIMER, UART0 */

#define IO_CTRL(pin) REG(0x40014004u + 8u * (pin))
#define FUNCTION_UART 2u
#define FUNCTION_SIO 5u
#define PADS(pin) REG(0x4001C004u + 4u * (pin))
#define PADS_INPUT_PULL_UP 0x5Au /* input on, pull-up, Schmitt trigger, 4 mA */

#define XOSC_CTRL REG(0x40024000u)
#define XOSC_CTRL_ON (0xFABu << 12 | 0xAA0u) /* enable; 1 to 15 MHz */
#define XOSC_STATUS REG(0x40024004u)
#define XOSC_STABLE (1u << 31)
#define XOSC_STARTUP REG(0x4002400Cu)

#define PLL_CS REG(0x40028000u)
#define PLL_LOCK (1u << 31)
#define PLL_PWR REG(0x40028004u)
#define PLL_PWR_ON (1u << 2) /* without the modulator, which only fractions need */
#define PLL_PWR_LOCKING (PLL_PWR_ON | 1u << 3) /* dividers off */
#define PLL_PWR_OFF (PLL_PWR_LOCKING | 1u << 0 | 1u << 5)
#define PLL_FBDIV REG(0x40028008u)
#define PLL_PRIM REG(0x4002800Cu)

#define UART_DR REG(0x40034000u)
#define UART_DR_OVERRUN (1u << 11)
#define UART_FR REG(0x40034018u)
#define UART_FR_BUSY (1u << 3)
#define UART_FR_RXFE (1u << 4)
#define UART_FR_TXFF (1u << 5)
#define UART_IBRD REG(0x40034024u)
#define UART_FBRD REG(0x40034028u)
#define UART_LCR_H REG(0x4003402Cu)
#define UART_LCR_8N1_FIFO (3u << 5 | 1u << 4)
#define UART_CR REG(0x40034030u)
#define UART_CR_ON (1u << 0 | 1u << 8 | 1u << 9)
#define UART_IFLS REG(0x40034034u)
#define UART_IMSC REG(0x40034038u)
#define UART_INT_RX (1u << 4 | 1u << 6) /* FIFO level, and bytes that have waited */
#define UART_IRQ 20u

#define TIMER_ALARM0 REG(0x40054010u)
#define TIMER_RAWH REG(0x40054024u)
#define TIMER_RAWL REG(0x40054028u)
#define TIMER_INTR REG(0x40054034u)
#define TIMER_INTE REG(0x40054038u)
#define TIMER_IRQ 0u

#define WATCHDOG_REASON REG(0x40058008u)
#define WATCHDOG_REASON_TIMER (1u << 0)
#define WATCHDOG_TICK REG(0x4005802Cu)
#define WATCHDOG_TICK_ON (1u << 9)

#define CHIP_RESET REG(0x40064008u)
#define CHIP_RESET_RUN (1u << 16)

#define SIO_OUT_SET REG(0xD0000014u)
#define SIO_OUT_CLR REG(0xD0000018u)
#define SIO_OE_SET REG(0xD0000024u)

#endif
