\A# Ammonia Decomposition over Ruthenium-Doped Ceria Foams at Moderate Temperature$
^## Abstract$
87\.3
