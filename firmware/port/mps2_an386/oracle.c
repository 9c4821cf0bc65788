#include "oracle.h"

#include "ek_port.h"
#include "model.h"

static void send(uint64_t value, uint32_t bytes)
{
    uint8_t data[8];

    for (uint32_t i = 0; i < bytes; i++) {
        data[i] = (uint8_t)(value >> (8u * i));
    }
    ek_port_write(data, bytes);
}

static int8_t receive(void)
{
    int32_t byte = ek_port_read();

    while (byte < 0) {
        byte = ek_port_read();
    }
    return (int8_t)(byte < 128 ? byte : byte - 256);
}

void ek_oracle_main(void)
{
    static const uint8_t greeting[4] = {'E', 'K', 'O', 'R'};

    ek_port_init();
    ek_port_write(greeting, sizeof greeting);
    send(MODEL_INPUT_BYTES, 4);
    send(MODEL_OUTPUT_BYTES, 4);
    for (;;) {
        const int8_t *output = model_output();
        uint32_t start;
        uint32_t count;
        for (uint32_t i = 0; i < MODEL_INPUT_BYTES; i++) {
            model_input()[i] = receive();
        }
        start = ek_port_ticks();
        model_run();
        count = ek_port_ticks() - start;
        for (uint32_t i = 0; i < MODEL_OUTPUT_BYTES; i++) {
            send((uint8_t)output[i], 1);
        }
        send((uint64_t)count * EK_ORACLE_TICK_INSTRUCTIONS, 8);
    }
}
