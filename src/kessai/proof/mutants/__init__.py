"""Known-bad versions of this product: the campaign has to find each of them within 300 seeds.

A proof that cannot fail proves nothing. Each mutant makes one mistake that real shops make; what
survives is a hole in the oracle or in the faults, and is closed there.
"""

from kessai.proof.mutants.asking import ASKING
from kessai.proof.mutants.back import BACK
from kessai.proof.mutants.doubles import DOUBLES
from kessai.proof.mutants.kernel import KERNEL
from kessai.proof.mutants.order import ORDER
from kessai.proof.mutants.patch import Edit, Mutant, Unfit, mutated
from kessai.proof.mutants.payment import PAYMENT
from kessai.proof.mutants.sides import SIDES

MUTANTS: tuple[Mutant, ...] = (
    *KERNEL,
    *DOUBLES,
    *ORDER,
    *PAYMENT,
    *ASKING,
    *BACK,
    *SIDES,
)

__all__ = ["MUTANTS", "Edit", "Mutant", "Unfit", "mutated"]
