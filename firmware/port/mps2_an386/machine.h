/* MPS2 AN386 (Cortex-M4F) as QEMU models it. Included by cmsdk.h. */
#ifndef EK_MACHINE_H
#define EK_MACHINE_H

#define EK_MACHINE "mps2-an386"
#define EK_MACHINE_BOARD "mps2-an386"
#define EK_MACHINE_ID 0x386u

#include "mps2.h"

#endif
