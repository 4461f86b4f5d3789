# %% [markdown] lang="en"
# # 2. The four parts and the loop
#
# Data, model, loss, optimizer: four parts, and a loop that is the same for all of deep learning. We write it out, then let honshi do it, and see the same numbers.

# %% [markdown] lang="ja"
# # 2. 4 つの部品とループ
#
# データ、モデル、損失、最適化: この 4 つの部品と、深層学習のどこでも同じループです。まず自分で書き、次に honshi に任せて、同じ数になることを確かめます。

# %% tags=["install"]
# %pip install -q "honshi @ git+https://github.com/honshi-dev/honshi" "torch>=2.6"

# %%
import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

import honshi

torch.set_num_threads(1)  # so that sums are added up in one order, and numbers can be compared to the last digit
splits = honshi.load("mnist", normalize=(0.5, 0.5), subset=6000)

# %% [markdown] lang="en"
# ## The model
#
# The lecture's network: 784 inputs, hidden layers of 128 and 64, ten outputs. The outputs are **logits**, numbers of any size, one for each class.

# %% [markdown] lang="ja"
# ## モデル
#
# 講義のネットワークです: 入力 784、隠れ層 128 と 64、出力 10。出力は**ロジット**、クラスごとの任意の大きさの数です。


# %%
class MNISTClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(28 * 28, 128)
        self.fc2 = nn.Linear(128, 64)
        self.fc3 = nn.Linear(64, 10)
        self.relu = nn.ReLU()

    def forward(self, x):
        x = x.view(-1, 28 * 28)
        x = self.relu(self.fc1(x))
        x = self.relu(self.fc2(x))
        return self.fc3(x)


torch.manual_seed(0)
model = MNISTClassifier()
print(model)

# %% [markdown] lang="en"
# `honshi.check` follows a batch through the layers, shows their shapes, and looks for the usual mistakes before a long training.

# %% [markdown] lang="ja"
# `honshi.check` はバッチが層を通る様子を追って形を示し、長い訓練の前によくある間違いを探します。

# %%
honshi.check(model, splits.train)

# %% [markdown] lang="en"
# ## The loss takes logits
#
# `CrossEntropyLoss` contains the softmax. If the model ends in another one, every gradient is squashed. Shown wrong, then right:

# %% [markdown] lang="ja"
# ## 損失はロジットを受け取る
#
# `CrossEntropyLoss` には softmax が含まれています。モデルがもう一つの softmax で終わると、すべての勾配が潰れます。間違った例と正しい例:

# %%
criterion = nn.CrossEntropyLoss()
images = splits.train.normalization(splits.train.pixels[:64])
labels = splits.train.labels[:64]
for name, outputs in (("softmax twice", model(images).softmax(1)), ("logits", model(images))):
    model.zero_grad()
    criterion(outputs, labels).backward()
    print(f"{name:>13}: gradient of the last layer {model.fc3.weight.grad.norm():.4f}")

# %% [markdown] lang="en"
# ## The optimizer, by hand
#
# SGD moves each weight against its gradient, as far as the learning rate says. Our own line and `torch.optim.SGD` do the same, to the last digit:

# %% [markdown] lang="ja"
# ## 最適化を手で書く
#
# SGD は、各重みを勾配の逆向きに学習率の分だけ動かします。自分で書いた 1 行と `torch.optim.SGD` は、最後の桁まで同じです:

# %%
model.zero_grad()
criterion(model(images), labels).backward()
by_hand = [weight.detach() - 0.1 * weight.grad for weight in model.parameters()]
optim.SGD(model.parameters(), lr=0.1).step()
print(all(torch.equal(one, weight) for one, weight in zip(by_hand, model.parameters())))

# %% [markdown] lang="en"
# ## The loop, as in the lecture

# %% [markdown] lang="ja"
# ## 講義のとおりのループ


# %%
def train(model, loader, criterion, optimizer):
    model.train()
    total = 0.0
    for images, labels in loader:
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
    return total / len(loader.dataset)


def evaluate(model, loader, criterion):
    model.eval()
    total, right = 0.0, 0
    with torch.no_grad():
        for images, labels in loader:
            logits = model(images)
            total += criterion(logits, labels).item() * len(labels)
            right += (logits.argmax(1) == labels).sum().item()
    return total / len(loader.dataset), right / len(loader.dataset)


def tensors(part):
    return TensorDataset(part.normalization(part.pixels), part.labels)


torch.manual_seed(0)
mine = MNISTClassifier()
optimizer = optim.SGD(mine.parameters(), lr=0.1)
train_loader = DataLoader(tensors(splits.train), batch_size=64, shuffle=True)
val_loader = DataLoader(tensors(splits.val), batch_size=250)
for epoch in range(1, 4):
    train_loss = train(mine, train_loader, criterion, optimizer)
    val_loss, val_accuracy = evaluate(mine, val_loader, criterion)
    print(f"epoch {epoch}: train {train_loss:.4f}, validation {val_loss:.4f}, {val_accuracy:.2%}")

# %% [markdown] lang="en"
# ## The same by honshi
#
# `honshi.fit` is this loop with a record: curves, best epoch, validation after each epoch. Given the same order of images it gives the same losses. Here both go through the images in one fixed order:

# %% [markdown] lang="ja"
# ## 同じことを honshi で
#
# `honshi.fit` はこのループに記録を加えたものです: 曲線、最良のエポック、エポックごとの検証。画像の順序が同じなら損失も同じになります。ここでは両方とも決まった順序で通します:

# %%
in_order = DataLoader(tensors(splits.train), batch_size=64)
torch.manual_seed(0)
mine = MNISTClassifier()
optimizer = optim.SGD(mine.parameters(), lr=0.1)
by_hand = [train(mine, in_order, criterion, optimizer) for _ in range(3)]

torch.manual_seed(0)
model = MNISTClassifier()
result = honshi.fit(
    model, criterion, optim.SGD(model.parameters(), lr=0.1), in_order, val_loader, epochs=3, restore_best=False
)
for row, loss in zip(result.history, by_hand):
    print(f"epoch {row.epoch}: by hand {loss:.4f}, honshi.fit {row.train_loss:.4f}")
assert all(abs(row.train_loss - loss) < 5e-5 for row, loss in zip(result.history, by_hand))
result

# %% [markdown] lang="en"
# ## What each line is for: leave it out
#
# Without `zero_grad()` the gradients of all batches before are added up; without `model.eval()` dropout disturbs the score; without `no_grad()` the score is the same and takes memory for gradients that nobody needs.

# %% [markdown] lang="ja"
# ## それぞれの行の意味: 抜いてみる
#
# `zero_grad()` がないと以前のすべてのバッチの勾配が足されていきます。`model.eval()` がないとドロップアウトが点数を乱します。`no_grad()` がなくても点数は同じですが、誰も使わない勾配のためにメモリを使います。

# %%
torch.manual_seed(0)
forgetful = MNISTClassifier()
optimizer = optim.SGD(forgetful.parameters(), lr=0.1)
for images, labels in train_loader:
    loss = criterion(forgetful(images), labels)
    loss.backward()
    optimizer.step()
print(f"without zero_grad: validation accuracy {evaluate(forgetful, val_loader, criterion)[1]:.2%}")

dropping = honshi.models.MLP(dropout=0.5)
images = next(iter(val_loader))[0]
dropping.train()
print("train mode, twice the same images:", torch.equal(dropping(images), dropping(images)))
dropping.eval()
print("eval mode, twice the same images: ", torch.equal(dropping(images), dropping(images)))

# %% [markdown] lang="en"
# ## The lecture's table
#
# With SGD at learning rate 0.001, as the code is printed, the network learns far more slowly than the table says: the table belongs to Adam. honshi has all three as recipes, `lecture-as-printed`, `lecture` and `lecture-table`. Next: [judging and improving](3-improving.ipynb).

# %% [markdown] lang="ja"
# ## 講義の表
#
# 印刷されたコードのとおり学習率 0.001 の SGD では、表よりずっとゆっくりしか学びません。表は Adam のものです。honshi には 3 つともレシピがあります: `lecture-as-printed`、`lecture`、`lecture-table`。次は [判定と改善](3-improving.ipynb) です。

# %%
for name in ("lecture-as-printed", "lecture", "lecture-table"):
    recipe = honshi.Recipe.read(name)
    torch.manual_seed(0)
    model = honshi.models.MLP()
    optimizer = honshi.optimizers.build(recipe.optimizer, model)
    result = honshi.fit(model, criterion, optimizer, splits.train, splits.val, epochs=2, show=False)
    print(f"{name:>20}: {result.history[-1].val_accuracy:.2%} after two epochs on 6,000 images")
