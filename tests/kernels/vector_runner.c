/* Runs cases that the emulator's loader placed in memory, then has it write that memory to a file:
 * kernels for instructions that the host lacks. Built by vector_image.py, which gives BASE. */
#include "bare_metal.h"

#include "edgekit.h"

/* Addresses as numbers: the loader's side is 64 bits wide. */
typedef struct {
    uint32_t kernel;
    uint32_t arguments[4];
} vector_case;

typedef struct {
    uint32_t bytes; /* of everything, from BASE on */
    uint32_t cases;
    vector_case list[];
} vector_batch;

typedef void (*vector_kernel)(uint32_t a, uint32_t b, uint32_t c, uint32_t d);

static const vector_kernel kernels[] = {KERNELS};

static void run_all(void)
{
    const vector_batch *batch = (const vector_batch *)BASE;
    for (uint32_t i = 0; i < batch->cases; i++) {
        const vector_case *c = &batch->list[i];
        kernels[c->kernel](c->arguments[0], c->arguments[1], c->arguments[2], c->arguments[3]);
    }
    finish(batch, batch->bytes, batch, 0);
}
