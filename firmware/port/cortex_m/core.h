/* Registers of the Cortex-M core: NVIC, system control block, DWT. */
#ifndef EK_CORE_H
#define EK_CORE_H

#include <stdint.h>

#define REG(address) (*(volatile uint32_t *)(address))

#define NVIC_ISER(irq) REG(0xE000E100u + 4u * ((irq) / 32u))
#define NVIC_ICER(irq) REG(0xE000E180u + 4u * ((irq) / 32u))
#define NVIC_ICPR(irq) REG(0xE000E280u + 4u * ((irq) / 32u))
#define NVIC_BIT(irq) (1u << ((irq) % 32u))
#define SCB_AIRCR REG(0xE000ED0Cu)
#define SCB_SCR REG(0xE000ED10u)
#define SCB_SCR_SLEEPDEEP (1u << 2)
#define SYSTICK_CSR REG(0xE000E010u)
#define SYSTICK_RVR REG(0xE000E014u)
#define SYSTICK_CVR REG(0xE000E018u)
#define DWT_CTRL REG(0xE0001000u)
#define DWT_CYCCNT REG(0xE0001004u)
#define DWT_LAR REG(0xE0001FB0u) /* where the core locks its DWT; elsewhere nothing is there */
#define DWT_LAR_KEY 0xC5ACCE55u
#define DEMCR REG(0xE000EDFCu)
#define DEMCR_TRCENA (1u << 24)

#endif
