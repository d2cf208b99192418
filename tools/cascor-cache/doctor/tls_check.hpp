// TLS: which version, whose certificate, for which names, and for how long.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "finding.hpp"
#include "words.hpp"

namespace tool::doctor {

struct TlsFacts {
  bool wanted = false;
  bool shaken = false;     ///< a handshake that believes everything came to its end
  bool verify = true;      ///< tls.verify
  bool trusted = false;    ///< the chain leads to an authority of ours
  bool name_fits = false;  ///< the certificate has wanted_name
  std::string wanted_name;
  std::string version;                     ///< "TLSv1.3"
  std::string subject;                     ///< "CN = redis.internal"
  std::string chain_error;                 ///< why it is not trusted, in OpenSSL's words
  std::vector<std::string> names;          ///< what it is for: "redis.internal", "10.0.0.7"
  double seconds_left = 0;                 ///< until the first certificate of the chain expires
  double seconds_to_begin = 0;             ///< above 0: it is not valid yet
  std::optional<double> own_seconds_left;  ///< of tls.cert_file
  std::string own_file;
  std::string ca_file;  ///< empty: the system's
};

/// Adds what is wrong with the certificate; true where that is why a dial must fail.
inline bool check_tls(const TlsFacts& facts, const std::string& peer, Findings& findings) {
  constexpr std::string_view subject = "TLS";
  constexpr double soon = 14 * 86'400.0;
  if (!facts.wanted) return false;
  bool fails = false;
  const auto bad = [&](std::string what, std::string cure) {
    fails = true;
    findings.problem(subject, std::move(what), std::move(cure));
  };
  if (facts.own_seconds_left && *facts.own_seconds_left < soon) {
    const bool over = *facts.own_seconds_left <= 0;
    std::string what = "our certificate " + facts.own_file + (over ? " expired " : " expires in ") +
                       time_text(*facts.own_seconds_left) + (over ? " ago" : "");
    if (over)
      bad(std::move(what), "renew it: openssl x509 -enddate -noout -in " + facts.own_file);
    else
      findings.warning(subject, std::move(what), "renew it: openssl x509 -enddate -noout -in " + facts.own_file);
  }
  if (!facts.shaken) return fails;  // what dialling says tells more
  if (!facts.verify) {
    findings.warning(subject, "tls.verify is false: whoever is on the way to " + peer + " can read and change all",
                     "tls: { verify: true, ca_file: /path/of/ca.pem }");
  }
  const auto whose = "the certificate of " + peer + " (" + facts.subject + ')';
  const bool expired = facts.seconds_left <= 0;
  if (expired) {
    auto what = whose + " expired " + time_text(facts.seconds_left) + " ago";
    const char* const cure =
        "renew it, or its authority's, on the server: tls-cert-file in redis.conf, then restart; or set this machine's "
        "clock (timedatectl)";
    if (facts.verify)
      bad(std::move(what), cure);
    else
      findings.warning(subject, std::move(what), cure);
  } else if (facts.seconds_to_begin > 0) {
    bad(whose + " is not valid for another " + time_text(facts.seconds_to_begin),
        "timedatectl set-ntp true on the machine whose clock is wrong");
  } else if (facts.seconds_left < soon) {
    findings.warning(subject, whose + " expires in " + time_text(facts.seconds_left),
                     "renew it on the server: tls-cert-file in redis.conf");
  }
  if (facts.verify && !facts.trusted && !expired && facts.seconds_to_begin <= 0) {
    bad(whose + " is not trusted: " + facts.chain_error,
        "tls: { ca_file: /path/of/the/authority.pem }" +
            (facts.ca_file.empty() ? std::string{} : ", which is " + facts.ca_file + " now"));
  }
  if (facts.verify && !facts.name_fits) {
    std::string names;
    for (const std::string& name : facts.names) names += (names.empty() ? "" : ", ") + name;
    bad(whose + " is for " + (names.empty() ? "no name" : names) + ", not for " + facts.wanted_name,
        names.empty() ? "a certificate with subjectAltName = DNS:" + facts.wanted_name
                      : "tls: { server_name: " + facts.names.front() + " }, or that name in redis_url");
  }
  if (!fails) {
    findings.ok(subject, facts.version + ", " + facts.subject + (facts.verify ? ", verified" : ", not verified") +
                             ", expires in " + time_text(facts.seconds_left));
  }
  return fails;
}

}  // namespace tool::doctor
