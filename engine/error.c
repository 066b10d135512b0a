/* The error domain of engine. */
#include "engine/engine.h"

G_DEFINE_QUARK(lode - engine - error, engine_error)
