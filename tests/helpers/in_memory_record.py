"""A record that is gone with the process."""

from dataclasses import dataclass, field


@dataclass
class InMemory:
    """Keeps trials in a list, and those whose turn has not come beside it."""

    kept: list = field(default_factory=list)

    beside: dict = field(default_factory=dict)  # what waits for its turn

    def results(self):
        return list(self.kept)

    def add(self, result):
        assert result.number == len(self.kept)
        self.kept.append(result)
        self.beside.pop(result.number, None)
        return result

    def wait(self, result):
        assert result.number > len(self.kept)
        self.beside[result.number] = result
        return result

    def waiting(self, numbers):
        return {number: self.beside[number] for number in numbers if number in self.beside}

    def discard(self, number):
        del self.beside[number]
