/* What tensor.h reads of a file, for tensor_numpy.py: a line a tensor (name, description), then its values, one a line.
 * usage: tensor_dump FILE SCRATCH */
#include <stdio.h>
#include <string.h>

#include "memory.h"
#include "tensor.h"

static Status print_reals(TensorFile *file, const Tensor *tensor) {
  float *values;
  TRY(MEMORY_NEW(&values, tensor->count, "values"));
  const Status status = tensor_read_real(file, tensor, 0, tensor->count, values);
  for (int64_t i = 0; i < tensor->count && status == OK; i++) {
    printf("%.9g\n", (double)values[i]);
  }
  MEMORY_FREE(values);
  return status;
}

static Status print_integers(TensorFile *file, const Tensor *tensor) {
  int64_t *values;
  TRY(MEMORY_NEW(&values, tensor->count, "values"));
  const Status status = tensor_read_integer(file, tensor, 0, tensor->count, values);
  for (int64_t i = 0; i < tensor->count && status == OK; i++) {
    printf("%lld\n", (long long)values[i]);
  }
  MEMORY_FREE(values);
  return status;
}

static Status print_values(TensorFile *file, const Tensor *tensor) {
  return tensor->type <= TENSOR_BF16 ? print_reals(file, tensor) : print_integers(file, tensor);
}

static Status print_tensor(TensorFile *file, const Tensor *tensor, const char *scratch) {
  TensorFile *unpacked;
  char text[64];
  printf("tensor '%s' %s%s\n", tensor->name, tensor_describe(tensor, text),
         tensor->is_packed ? " packed" : "");
  if (!tensor->is_packed) {
    return print_values(file, tensor);
  }
  TRY(tensor_unpack(file, tensor, scratch));
  TRY(tensor_open(&unpacked, scratch));
  const Status status = print_values(unpacked, tensor_at(unpacked, 0));
  tensor_close(&unpacked);
  return status;
}

int main(int argc, char **argv) {
  TensorFile *file = NULL;
  Status status = argc == 3 ? tensor_open(&file, argv[1]) : ERR_USAGE;
  for (int64_t i = 0; status == OK && i < tensor_count(file); i++) {
    status = print_tensor(file, tensor_at(file, i), argv[2]);
  }
  tensor_close(&file);
  if (status != OK) {
    fprintf(stderr, "%s: %s\n", status_name(status), status_why());
  }
  return (int)status;
}
