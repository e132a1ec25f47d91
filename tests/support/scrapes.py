"""Pages of metrics, read as Prometheus reads them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample


@dataclass(frozen=True, slots=True)
class Scrape:
    """The samples of one page."""

    samples: tuple[Sample, ...]

    @property
    def names(self) -> set[str]:
        """The names of its series."""
        return {sample.name for sample in self.samples}

    def value(self, name: str, **labels: str) -> float:
        """The sum over the series of this name that have these labels. Raises KeyError where there is none."""
        values = [sample.value for sample in self.samples if sample.name == name and labels.items() <= sample.labels.items()]
        if not values:
            raise KeyError(f"{name} {labels}")
        return sum(values)

    def by(self, name: str, label: str) -> Counter[str]:
        """The sums over the series of this name, by one label; those that are 0 are left out."""
        sums: Counter[str] = Counter()
        for sample in self.samples:
            if sample.name == name:
                sums[sample.labels[label]] += int(sample.value)
        return +sums


def parse_page(text: str) -> Scrape:
    """The samples of a page in the text form. Raises ValueError for another form."""
    return Scrape(tuple(sample for family in text_string_to_metric_families(text) for sample in family.samples))


def scrape(url: str) -> Scrape:
    """The samples that a host shows."""
    with urlopen(f"{url}/metrics") as answer:  # noqa: S310  (loopback)
        return parse_page(answer.read().decode())
