/* Peripherals of QEMU's RISC-V virt machine (its documentation and device tree name them). */
#ifndef EK_VIRT_RV32_REGISTERS_H
#define EK_VIRT_RV32_REGISTERS_H

#include "machine.h"

#include <stdint.h>

#define REG8(address) (*(volatile uint8_t *)(address))
#define REG32(address) (*(volatile uint32_t *)(address))

/* Test device: a value ends or restarts the machine. */
#define TEST_FINISHER REG32(0x00100000u)
#define TEST_RESET 0x7777u

/* CLINT: machine time, 10 MHz, of which the low half is enough. */
#define MTIMECMP_LOW REG32(0x02004000u)
#define MTIMECMP_HIGH REG32(0x02004004u)
#define MTIME_LOW REG32(0x0200BFF8u)
#define MTIME_HIGH REG32(0x0200BFFCu)

/* PLIC, context 0: machine mode of hart 0. */
#define PLIC_PRIORITY(irq) REG32(0x0C000000u + 4u * (irq))
#define PLIC_ENABLE REG32(0x0C002000u)
#define PLIC_CLAIM REG32(0x0C200004u)
#define UART0_IRQ 10u

/* 16550 */
#define UART0_DATA REG8(0x10000000u)
#define UART0_IER REG8(0x10000001u)
#define UART0_FCR REG8(0x10000002u)
#define UART0_LCR REG8(0x10000003u)
#define UART0_LSR REG8(0x10000005u)
#define UART_IER_RX (1u << 0)
#define UART_FCR_FIFO (1u << 0)
#define UART_LCR_8N1 3u
#define UART_LSR_RX_READY (1u << 0)
#define UART_LSR_OVERRUN (1u << 1)
#define UART_LSR_TX_ROOM (1u << 5)
#define UART_LSR_TX_IDLE (1u << 6)

#define MIE_TIMER (1u << 7)
#define MIE_EXTERNAL (1u << 11)

#endif
