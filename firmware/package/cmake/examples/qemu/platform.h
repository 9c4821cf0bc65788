/* What the example wants of the machine it runs on. */
#ifndef PLATFORM_H
#define PLATFORM_H

void platform_print(const char *text);

#endif
