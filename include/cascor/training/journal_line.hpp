// One line of a journal: {"seq":17,"epoch":5,"record":{…}}, the fields of a stream's entry. No I/O, no state.
#pragma once

#include <string>
#include <string_view>

#include "cascor/codec/json.hpp"
#include "cascor/core/record_log.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// Also read is a line that is a record itself, {"epoch": 5, …}, as another program may have written it: its sequence
/// number is one more than that of the line before.
template <class CascorWhenUsed = void>
struct JournalLine {
  using Json = Dependent<json, CascorWhenUsed>;

  RecordId id;
  std::string_view text;  ///< the record, within the line that was parsed or within `own`
  std::string own;

  static void write(std::string& out, RecordId id, std::string_view text);
  /// Is the line a record? `checked`: somebody has looked before whether its text is JSON. The line is to outlive this.
  bool read(std::string_view line, RecordId before, bool checked);

 private:
  bool read_plainly(std::string_view line);
  bool read_json(std::string_view line, RecordId before);
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/training/journal_line.ipp"
#endif
