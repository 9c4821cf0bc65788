#include "model.h"

/* The output overwrites part of the input and node 0 works in place, as a planned arena does. */
static int8_t arena[MODEL_ARENA_BYTES];

int8_t *model_input(void) { return arena; }
const int8_t *model_output(void) { return arena + MODEL_INPUT_BYTES; }

#if MODEL_TRACE
int32_t model_trace_stop = -1;
const int8_t *model_trace_tensor(int32_t node, int32_t *bytes)
{
    *bytes = node == 0 ? MODEL_INPUT_BYTES : MODEL_OUTPUT_BYTES;
    return node == 0 ? arena : model_output();
}
#endif

static void negate(void)
{
    for (uint32_t i = 0; i < MODEL_INPUT_BYTES; i++) {
        arena[i] = (int8_t)(uint8_t)(0u - (uint8_t)arena[i]);
    }
}

static void sum(void)
{
    for (uint32_t k = 0; k < MODEL_OUTPUT_BYTES; k++) {
        uint32_t acc = 0;
        for (uint32_t i = k; i < MODEL_INPUT_BYTES; i += MODEL_OUTPUT_BYTES) {
            acc += (uint8_t)arena[i];
        }
        arena[MODEL_INPUT_BYTES + k] = (int8_t)(uint8_t)(acc & 0xFFu);
    }
}

void model_run(void)
{
    negate();
#if MODEL_TRACE
    if (model_trace_stop == 0) {
        return;
    }
#endif
    sum();
}
