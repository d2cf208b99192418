#include "api/prometheus_text.hpp"

#include <prometheus/text_serializer.h>

#include <cascor/prometheus.hpp>

namespace canopy {

std::string prometheus_text(cascor::CacheManager& cache, std::size_t viewers) {
  auto families = cascor::PrometheusCollectable{cache}.Collect();
  prometheus::ClientMetric count;
  count.gauge.value = static_cast<double>(viewers);
  families.push_back({"canopy_viewers", "Streams that are open now", prometheus::MetricType::Gauge, {count}});
  return prometheus::TextSerializer{}.Serialize(families);
}

}  // namespace canopy
