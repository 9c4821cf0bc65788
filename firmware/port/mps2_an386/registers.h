/* The MPS2 AN386 image as QEMU models it: Arm CMSDK peripherals (DDI 0479) and the Armv7-M core. */
#ifndef EK_MPS2_AN386_REGISTERS_H
#define EK_MPS2_AN386_REGISTERS_H

#include <stdint.h>

#define REG(address) (*(volatile uint32_t *)(address))

/* CMSDK APB timers, counting down at 25 MHz. Timer 0 counts, timer 1 wakes. */
#define TIMER0_CTRL REG(0x40000000u)
#define TIMER0_VALUE REG(0x40000004u)
#define TIMER0_RELOAD REG(0x40000008u)
#define TIMER1_CTRL REG(0x40001000u)
#define TIMER1_VALUE REG(0x40001004u)
#define TIMER1_RELOAD REG(0x40001008u)
#define TIMER1_INTCLEAR REG(0x4000100Cu)
#define TIMER_ENABLE (1u << 0)
#define TIMER_INTERRUPT (1u << 3)

/* CMSDK APB UART 0 */
#define UART0_DATA REG(0x40004000u)
#define UART0_STATE REG(0x40004004u)
#define UART0_CTRL REG(0x40004008u)
#define UART0_INTCLEAR REG(0x4000400Cu)
#define UART0_BAUDDIV REG(0x40004010u)
#define UART_TX_FULL (1u << 0)
#define UART_RX_FULL (1u << 1)
#define UART_RX_OVERRUN (1u << 3)
#define UART_TX_ENABLE (1u << 0)
#define UART_RX_ENABLE (1u << 1)
#define UART_RX_INTERRUPT (1u << 3)

#define NVIC_ISER0 REG(0xE000E100u)
#define NVIC_ICPR0 REG(0xE000E280u)
#define UART0_RX_IRQ 0u
#define TIMER1_IRQ 9u
#define SCB_AIRCR REG(0xE000ED0Cu)

#endif
