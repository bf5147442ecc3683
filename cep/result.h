// Result<T>: what a user, a rule, a network or a disk can cause is a value, never an exception.
// A broken invariant is not a Result: it aborts through WEIR_CHECK, in release builds too.
// Threads: plain values, no sharing.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <variant>

namespace cep {

// `code` is a stable snake_case word that programs may switch on ("bad_json", "disk_full");
// `message` says what happened, where, and what to do, for a person.
struct Error {
  std::string code;
  std::string message;
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}       // NOLINT(google-explicit-constructor): `return value;`
  Result(Error error) : value_(std::move(error)) {}   // NOLINT(google-explicit-constructor): `return Error{..};`

  bool ok() const { return std::holds_alternative<T>(value_); }
  explicit operator bool() const { return ok(); }

  T& value() & { return std::get<T>(value_); }
  const T& value() const& { return std::get<T>(value_); }
  T&& value() && { return std::get<T>(std::move(value_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const { return std::get<Error>(value_); }

 private:
  std::variant<T, Error> value_;
};

// A Result without a value: `return {};` is success.
using Status = Result<std::monostate>;
inline Status ok_status() { return std::monostate{}; }

}  // namespace cep

// Aborts with file, line and text when an invariant of the program itself is broken.
#define WEIR_CHECK(condition, text)                                                         \
  do {                                                                                      \
    if (!(condition)) [[unlikely]] {                                                        \
      std::fprintf(stderr, "%s:%d: broken invariant: %s\n", __FILE__, __LINE__, text);      \
      std::abort();                                                                         \
    }                                                                                       \
  } while (0)
