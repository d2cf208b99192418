// Was it simdjson that decoded? An array has room for its elements then, and no more.
#include <cascor/codec/json.hpp>

int main() {
  auto value = cascor::JsonCodec::decode<cascor::json>("[1, 2, 3, 4, 5, 6, 7, 8, 9]");
  return value.get_ref<cascor::json::array_t&>().capacity() == 9 ? 0 : 1;
}
