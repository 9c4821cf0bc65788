#include "chip.h"
#include "peripherals.h"

static void set_mode(uint32_t port, uint32_t pin, uint32_t mode)
{
    GPIO_MODER(port) = (GPIO_MODER(port) & ~(3u << (2u * pin))) | (mode << (2u * pin));
}

void ek_pin_output(uint32_t port, uint32_t pin)
{
    GPIO_BSRR(port) = 1u << (pin + 16u);
    set_mode(port, pin, 1u);
}

/* With a pull-up: a line that nobody drives is idle. */
void ek_pin_alternate(uint32_t port, uint32_t pin, uint32_t function)
{
    uint32_t at = 4u * (pin % 8u);

    GPIO_AFR(port, pin) = (GPIO_AFR(port, pin) & ~(15u << at)) | (function << at);
    GPIO_PUPDR(port) = (GPIO_PUPDR(port) & ~(3u << (2u * pin))) | (1u << (2u * pin));
    set_mode(port, pin, 2u);
}
