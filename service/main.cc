// The process starts and ends here.
#include <unistd.h>

#include "service/cli.h"

int main(int argc, char** argv) {
  return service::run_cli(argc, argv, {stdout, stderr, isatty(STDERR_FILENO) != 0});
}
