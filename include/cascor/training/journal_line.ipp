#pragma once

#include <charconv>

#include "cascor/training/journal_line.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

template <class CascorWhenUsed>
void JournalLine<CascorWhenUsed>::write(std::string& out, RecordId id, std::string_view text) {
  out.append(R"({"seq":)").append(std::to_string(id.seq)).append(R"(,"epoch":)").append(std::to_string(id.epoch));
  out.append(R"(,"record":)").append(text).append("}\n");
}

template <class CascorWhenUsed>
bool JournalLine<CascorWhenUsed>::read(std::string_view line, RecordId before, bool checked) {
  if (!read_plainly(line)) return read_json(line, before);
  if (checked) return true;
  try {
    check_json_text(text);
  } catch (const CacheError&) {
    return false;
  }
  return Json::accept(text.begin(), text.end());
}

// As write() writes it, without looking into the record.
template <class CascorWhenUsed>
bool JournalLine<CascorWhenUsed>::read_plainly(std::string_view line) {
  const auto take = [&line](std::string_view words) {
    const bool there = line.starts_with(words);
    if (there) line.remove_prefix(words.size());
    return there;
  };
  const auto number = [&line](std::uint64_t& into) {
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), into);
    if (error != std::errc{}) return false;
    line.remove_prefix(static_cast<std::size_t>(end - line.data()));
    return true;
  };
  if (!take(R"({"seq":)") || !number(id.seq) || !take(R"(,"epoch":)") || !number(id.epoch)) return false;
  if (!take(R"(,"record":{)") || !line.ends_with("}}") || !is_record_number(id)) return false;
  text = {line.data() - 1, line.size()};
  return true;
}

template <class CascorWhenUsed>
bool JournalLine<CascorWhenUsed>::read_json(std::string_view line, RecordId before) {
  try {
    check_json_text(line);
  } catch (const CacheError&) {
    return false;
  }
  const auto whole = Json::parse(line, nullptr, false);
  const auto number = [&whole](const char* name, std::uint64_t& into) {
    const auto at = whole.find(name);
    if (at == whole.end() || !at->is_number_unsigned()) return false;
    into = at->template get<std::uint64_t>();
    return into <= max_record_number;
  };
  if (!whole.is_object() || !number("epoch", id.epoch)) return false;
  const auto record = whole.find("record");
  if (record != whole.end() && record->is_object() && whole.contains("seq")) {
    if (!number("seq", id.seq)) return false;
    own = record->dump();
  } else {
    id.seq = before.seq + 1;
    own = line;
    if (!is_record_number(id)) return false;
  }
  text = own;
  return true;
}

#if defined(CASCOR_CACHE_COMPILED)
template struct JournalLine<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
