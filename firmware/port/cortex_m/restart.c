#include "restart.h"

#include "core.h"
#include "ek_port.h"

#define BOOT_MAGIC 0x424F4F54u

extern uint8_t ek_store_start[], ek_store_end[];

static struct {
    uint32_t magic;
    uint32_t count;
} boot EK_NOINIT;

void ek_count_start(uint32_t from_power)
{
    if (boot.magic != BOOT_MAGIC || from_power) {
        boot.magic = BOOT_MAGIC;
        boot.count = 0;
    }
    boot.count++;
}

uint32_t ek_port_boot_count(void)
{
    return boot.count;
}

void ek_port_reset(void)
{
    __asm volatile("dsb" ::: "memory");
    SCB_AIRCR = 0x05FA0004u; /* VECTKEY, SYSRESETREQ */
    for (;;) {
    }
}

uint8_t *ek_port_store(uint32_t *bytes)
{
    *bytes = (uint32_t)(ek_store_end - ek_store_start);
    return ek_store_start;
}
