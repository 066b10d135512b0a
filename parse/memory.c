/* MuPDF's allocator, bounded per file.
 *
 * A refusal makes MuPDF empty its store and ask again, so the store shrinks before a page fails. Libraries
 * under MuPDF that allocate on their own (OpenJPEG, libjpeg, zlib's windows) are not counted. */
#include <malloc.h>
#include <stdlib.h>

#include "parse/parse_internal.h"

static gboolean
memory_take(parse_memory *memory, size_t size)
{
    if (memory->used_bytes <= memory->limit_bytes &&
        size <= memory->limit_bytes - memory->used_bytes)
        return TRUE;
    memory->refused_bytes = size;
    return FALSE;
}

static void
memory_took(parse_memory *memory, const void *block, size_t size)
{
    memory->used_bytes += malloc_usable_size((void *)block);
    memory->peak_bytes = MAX(memory->peak_bytes, memory->used_bytes);
    if (memory->refused_bytes == size) memory->refused_bytes = 0;
}

static void *
memory_malloc(void *user, size_t size)
{
    parse_memory *memory = user;
    if (!memory_take(memory, size)) return NULL;
    void *block = malloc(size);
    if (block)
        memory_took(memory, block, size);
    else
        memory->refused_bytes = size;
    return block;
}

static void
memory_free(void *user, void *block)
{
    parse_memory *memory = user;
    if (!block) return;
    memory->used_bytes -= malloc_usable_size(block);
    free(block);
}

static void *
memory_realloc(void *user, void *block, size_t size)
{
    parse_memory *memory = user;
    if (!block) return memory_malloc(user, size);
    if (size == 0) {
        memory_free(user, block);
        return NULL;
    }
    size_t old = malloc_usable_size(block);
    if (size > old && !memory_take(memory, size - old)) {
        memory->refused_bytes = size;
        return NULL;
    }
    void *moved = realloc(block, size);
    if (!moved) {
        memory->refused_bytes = size;
        return NULL;
    }
    memory->used_bytes -= old;
    memory_took(memory, moved, size);
    return moved;
}

void
parse_memory_init(parse_memory *memory, uint64_t limit_bytes)
{
    *memory = (parse_memory){
        .alloc = {memory, memory_malloc, memory_realloc, memory_free},
        .limit_bytes = limit_bytes,
    };
}
