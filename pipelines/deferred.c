/* Libraries loaded at the first call into them: the part of deferred.S that finds functions. What a missing library
 * does is what it does to a program that is bound to it from the start, only later: a line, and exit code 127. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* deferred.S: names one behind the other, "=FILE" before those of a library, an empty one at the end; slots [number
 * of functions]. */
extern const char deferred_names[] __attribute__((visibility("hidden")));
extern void *deferred_slots[] __attribute__((visibility("hidden")));

__attribute__((visibility("hidden"))) void *deferred_bind(size_t number);

/* Any number of threads may come here for one function: each finds the same. The library stays loaded. */
void *
deferred_bind(size_t number)
{
    const char *file = "", *name = deferred_names;
    size_t i = 0;

    for (; *name; name += strlen(name) + 1) {
        if (*name == '=')
            file = name + 1;
        else if (i++ == number)
            break;
    }
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    void *function = library ? dlsym(library, name) : NULL;
    if (!function) {
        const char *why = dlerror();
        fprintf(stderr, "lode: cannot load %s of %s: %s\n", name, file, why ? why : "it is empty");
        _exit(127);
    }
    __atomic_store_n(&deferred_slots[number], function, __ATOMIC_RELEASE);
    return function;
}
