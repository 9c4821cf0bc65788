/* Peripherals that the MPS boards share: Arm CMSDK UART (DDI 0479) and the core's own.
 * machine.h of a port says where they are. */
#ifndef EK_MPS_CMSDK_H
#define EK_MPS_CMSDK_H

#include <stdint.h>

#define REG(address) (*(volatile uint32_t *)(address))

#include "machine.h"

#define UART0_DATA REG(EK_UART0)
#define UART0_STATE REG(EK_UART0 + 0x4u)
#define UART0_CTRL REG(EK_UART0 + 0x8u)
#define UART0_INTCLEAR REG(EK_UART0 + 0xCu)
#define UART0_BAUDDIV REG(EK_UART0 + 0x10u)
#define UART_TX_FULL (1u << 0)
#define UART_RX_FULL (1u << 1)
#define UART_RX_OVERRUN (1u << 3)
#define UART_TX_ENABLE (1u << 0)
#define UART_RX_ENABLE (1u << 1)
#define UART_RX_INTERRUPT (1u << 3)
#define UART_INTCLEAR_RX (1u << 1)

#define SYSTICK_CTRL REG(0xE000E010u)
#define SYSTICK_RELOAD REG(0xE000E014u)
#define SYSTICK_VALUE REG(0xE000E018u)
#define SYSTICK_ENABLE (1u << 0)
#define SYSTICK_INTERRUPT (1u << 1)
#define SYSTICK_CORE_CLOCK (1u << 2)
#define SYSTICK_MAX 0xFFFFFFu

#define NVIC_ISER(irq) REG(0xE000E100u + 4u * ((irq) / 32u))
#define NVIC_ICPR(irq) REG(0xE000E280u + 4u * ((irq) / 32u))
#define NVIC_BIT(irq) (1u << ((irq) % 32u))
#define SCB_ICSR REG(0xE000ED04u)
#define SCB_ICSR_PENDSTCLR (1u << 25)
#define SCB_AIRCR REG(0xE000ED0Cu)

#endif
