/* A stand-in for a generated model: y[k] = -sum of x[i] with i % outputs == k, modulo 256. */
#ifndef MODEL_H
#define MODEL_H

#include <stdint.h>

#if defined(TEST_MODEL_LARGE) /* neither input nor output fits into a frame */
#define MODEL_INPUT_BYTES 3072
#define MODEL_OUTPUT_BYTES 1500
#else
#define MODEL_INPUT_BYTES 490
#define MODEL_OUTPUT_BYTES 12
#endif
#define MODEL_ARENA_BYTES 5000
#define MODEL_NODES 2
#ifndef MODEL_TRACE
#define MODEL_TRACE 0
#endif
#define MODEL_NAME "kws01"
#define MODEL_OUTPUT_ZERO_POINT -128
#define MODEL_OUTPUT_SCALE_NANO 3906250

int8_t *model_input(void);
const int8_t *model_output(void);
void model_run(void);
#if MODEL_TRACE
extern int32_t model_trace_stop;
const int8_t *model_trace_tensor(int32_t node, int32_t *bytes);
#endif

#endif
