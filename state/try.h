// STATE_TRY: passes an Error on. For the sources of this folder.
#pragma once

// Returns the Error of a Status or Result expression from the enclosing function.
#define STATE_TRY(expression)                                          \
  do {                                                                 \
    if (auto tried = (expression); !tried.ok()) return tried.error();  \
  } while (0)
